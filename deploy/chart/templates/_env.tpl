{{- /* The environment of the daemon, one list item a variable. */}}
{{- define "reconciler.env" -}}
- {name: VMSS_RECONCILER_GIT, value: {{ .Values.git.url | quote }}}
- {name: VMSS_RECONCILER_BRANCH, value: {{ .Values.git.branch | quote }}}
- {name: VMSS_RECONCILER_PATH, value: {{ .Values.git.path | quote }}}
- {name: VMSS_RECONCILER_CLONE, value: /clone}
{{- with .Values.git.secret.token }}
- {name: VMSS_RECONCILER_GIT_TOKEN_FILE, value: {{ printf "/git/%s" . | quote }}}
{{- end }}
{{- with .Values.git.secret.sshKey }}
- {name: VMSS_RECONCILER_SSH_KEY, value: {{ printf "/git/%s" . | quote }}}
{{- end }}
{{- with .Values.git.secret.knownHosts }}
- {name: VMSS_RECONCILER_SSH_KNOWN_HOSTS, value: {{ printf "/git/%s" . | quote }}}
{{- end }}
{{- with .Values.git.secret.githubAppKey }}
- {name: VMSS_RECONCILER_GITHUB_APP_KEY, value: {{ printf "/git/%s" . | quote }}}
{{- end }}
{{- with .Values.git.githubApp.id }}
- {name: VMSS_RECONCILER_GITHUB_APP_ID, value: {{ . | quote }}}
{{- end }}
{{- with .Values.git.githubApp.installation }}
- {name: VMSS_RECONCILER_GITHUB_APP_INSTALLATION, value: {{ . | quote }}}
{{- end }}
{{- if .Values.git.azureIdentity }}
- {name: VMSS_RECONCILER_GIT_AZURE_IDENTITY, value: "true"}
{{- end }}
{{- if or (.Values.shard).selector (.Values.shard).subscriptions }}
- {name: VMSS_RECONCILER_SHARD, value: {{ (.Values.shard).name | quote }}}
{{- with (.Values.shard).selector }}
- {name: VMSS_RECONCILER_SHARD_SELECTOR, value: {{ . | quote }}}
{{- end }}
{{- with (.Values.shard).subscriptions }}
- {name: VMSS_RECONCILER_SHARD_SUBSCRIPTIONS, value: {{ join "," . | quote }}}
{{- end }}
{{- end }}
- {name: VMSS_RECONCILER_LISTEN, value: "[::]:8080"} # IPv4 too, and IPv4 only on a node without IPv6
- {name: VMSS_RECONCILER_PROBE_LISTEN, value: "[::]:8082"}
{{- if (.Values.tls).secret }}
- {name: VMSS_RECONCILER_TLS_CERT, value: /tls/tls.crt}
- {name: VMSS_RECONCILER_TLS_KEY, value: /tls/tls.key}
{{- end }}
{{- if .Values.webhook.enabled }}
- {name: VMSS_RECONCILER_WEBHOOK_LISTEN, value: "[::]:8081"}
- {name: VMSS_RECONCILER_WEBHOOK_SECRET_FILE, value: {{ printf "/webhook/%s" .Values.webhook.secret.key | quote }}}
{{- end }}
{{- with (.Values.page).userHeader }}
- {name: VMSS_RECONCILER_PAGE_USER_HEADER, value: {{ . | quote }}}
- {name: VMSS_RECONCILER_PAGE_PROXIES, value: {{ join "," ($.Values.page).proxies | quote }}}
{{- end }}
{{- with (.Values.page).groupsHeader }}
- {name: VMSS_RECONCILER_PAGE_GROUPS_HEADER, value: {{ . | quote }}}
{{- end }}
{{- $grants := list }}
{{- range $action, $holders := (.Values.page).grants }}
{{- range $holders }}{{ $grants = append $grants (printf "%s=%s" $action .) }}{{ end }}
{{- end }}
{{- with $grants }}
- {name: VMSS_RECONCILER_PAGE_GRANTS, value: {{ join "," . | quote }}}
{{- end }}
- {name: AZURE_TOKEN_CREDENTIALS, value: WorkloadIdentityCredential}
{{- if include "reconciler.isElected" . }}
- {name: VMSS_RECONCILER_LEADER_ELECT, value: "true"}
- {name: VMSS_RECONCILER_LEADER_ELECT_RESOURCE_NAME, value: {{ include "reconciler.lease" . | quote }}}
- {name: VMSS_RECONCILER_LEADER_ELECT_LEASE_DURATION, value: {{ .Values.leaderElection.leaseDuration | quote }}}
- {name: VMSS_RECONCILER_LEADER_ELECT_RENEW_DEADLINE, value: {{ .Values.leaderElection.renewDeadline | quote }}}
- {name: VMSS_RECONCILER_LEADER_ELECT_RETRY_PERIOD, value: {{ .Values.leaderElection.retryPeriod | quote }}}
{{- end }}
{{- if .Values.caBundle.configMap }}
{{- range list "GIT_SSL_CAINFO" "REQUESTS_CA_BUNDLE" "SSL_CERT_FILE" }}
- {name: {{ . }}, value: {{ printf "/ca/%s" $.Values.caBundle.key | quote }}}
{{- end }}
{{- end }}
{{- with .Values.proxy.http }}
- {name: HTTP_PROXY, value: {{ . | quote }}}
- {name: http_proxy, value: {{ . | quote }}} # git reads no HTTP_PROXY
{{- end }}
{{- with .Values.proxy.https }}
- {name: HTTPS_PROXY, value: {{ . | quote }}}
{{- end }}
{{- if or .Values.proxy.http .Values.proxy.https }}
{{- $direct := compact (list .Values.proxy.no (ternary "$(KUBERNETES_SERVICE_HOST)" "" (eq (include "reconciler.isElected" .) "true"))) }}
{{- with $direct }}
- {name: NO_PROXY, value: {{ join "," . | quote }}}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
