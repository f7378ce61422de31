// One daemon as a Container App, with a managed identity. docs/how-to/without-kubernetes.md says how to use it.
// It was parsed, and not deployed: no subscription was at hand.
param name string = 'vmss-reconciler'
param location string = resourceGroup().location

@description('The id of an existing Container Apps environment.')
param environmentId string

@description('The id of an existing user-assigned identity with the role of deploy/role.json.')
param identityId string

@description('The client id of the same identity.')
param clientId string

@description('The image in your registry.')
param image string

@description('The repository with the specs.')
param git string

@description('A token that may only read the repository.')
@secure()
param gitToken string

resource app 'Microsoft.App/containerApps@2024-03-01' = {
  name: name
  location: location
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    environmentId: environmentId
    configuration: {
      activeRevisionsMode: 'Single'
      secrets: [
        {
          name: 'git-token'
          value: gitToken
        }
      ]
    }
    template: {
      terminationGracePeriodSeconds: 90
      // One replica, always: a second one would only repeat its requests, and none would roll nothing out.
      scale: {
        minReplicas: 1
        maxReplicas: 1
      }
      containers: [
        {
          name: 'reconciler'
          image: image
          args: [
            'run'
          ]
          env: [
            {
              name: 'VMSS_RECONCILER_GIT'
              value: git
            }
            {
              name: 'VMSS_RECONCILER_GIT_TOKEN_FILE'
              value: '/git/git-token'
            }
            {
              name: 'VMSS_RECONCILER_LISTEN'
              value: '0.0.0.0:8080'
            }
            {
              name: 'VMSS_RECONCILER_LOG_FORMAT'
              value: 'json'
            }
            {
              name: 'AZURE_TOKEN_CREDENTIALS'
              value: 'ManagedIdentityCredential'
            }
            {
              name: 'AZURE_CLIENT_ID'
              value: clientId
            }
          ]
          probes: [
            {
              type: 'Liveness'
              periodSeconds: 30
              httpGet: {
                path: '/livez'
                port: 8080
              }
            }
            {
              type: 'Readiness'
              periodSeconds: 10
              httpGet: {
                path: '/readyz'
                port: 8080
              }
            }
          ]
          resources: {
            cpu: json('0.25')
            memory: '0.5Gi'
          }
          volumeMounts: [
            {
              volumeName: 'git'
              mountPath: '/git'
            }
          ]
        }
      ]
      volumes: [
        {
          name: 'git'
          storageType: 'Secret'
          secrets: [
            {
              secretRef: 'git-token'
              path: 'git-token'
            }
          ]
        }
      ]
    }
  }
}
