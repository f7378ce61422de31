// The role of the identity with which CI plans a pull request: it reads, and changes nothing.
//
//   az deployment sub create --location westeurope --template-file deploy/azure/plan-role.bicep --parameters principalId=...
//
// It was parsed, and not deployed: no subscription was at hand.
targetScope = 'subscription'

@description('The object id of the service principal of CI.')
param principalId string

var role = loadJsonContent('../role-plan.json')

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

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(subscription().id, principalId, role.Name)
  properties: {
    roleDefinitionId: definition.id
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}
