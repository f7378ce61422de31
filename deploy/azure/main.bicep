// The identity of the daemon in a cluster, its role, and what lets the Pod use it. For one subscription:
//
//   az deployment sub create --location westeurope --template-file deploy/azure/main.bicep \
//     --parameters resourceGroupName=reconciler oidcIssuer="$(az aks show ... --query oidcIssuerProfile.issuerUrl -o tsv)"
//
// It was parsed, and not deployed: no subscription was at hand.
targetScope = 'subscription'

@description('The resource group that gets the identity. It exists.')
param resourceGroupName string

@description('The issuer of the tokens of the cluster: oidcIssuerProfile.issuerUrl of AKS.')
param oidcIssuer string

@description('The namespace of the release of the chart.')
param namespace string = 'reconciler'

@description('The service account of the release of the chart.')
param serviceAccount string = 'reconciler'

@description('The name of the identity.')
param identityName string = 'vmss-reconciler'

// The role has exactly the actions that a test of the program finds necessary.
var role = loadJsonContent('../role.json')

resource definition 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, role.Name)
  properties: {
    roleName: role.Name
    description: role.Description
    type: 'CustomRole'
    permissions: [
      {
        actions: role.Actions
        notActions: role.NotActions
        dataActions: role.DataActions
        notDataActions: role.NotDataActions
      }
    ]
    assignableScopes: [
      subscription().id
    ]
  }
}

module identity 'identity.bicep' = {
  name: identityName
  scope: resourceGroup(resourceGroupName)
  params: {
    name: identityName
    oidcIssuer: oidcIssuer
    subject: 'system:serviceaccount:${namespace}:${serviceAccount}'
  }
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(subscription().id, resourceGroupName, identityName)
  properties: {
    roleDefinitionId: definition.id
    principalId: identity.outputs.principalId
    principalType: 'ServicePrincipal'
  }
}

@description('The value identity.clientId of the chart.')
output clientId string = identity.outputs.clientId
