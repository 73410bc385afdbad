// Usage: node run.mjs CASES.json
// Decides every case with @cloud-copilot/iam-simulate, an independent implementation of IAM's policy language, and
// prints {"<case name>": "<decision>"} as JSON. The package is a development tool: never bundled. `cargo xtask setup`
// links node_modules here.
import { readFileSync } from 'node:fs'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const policy = (statements) => ({ Version: '2012-10-17', Statement: statements })

function principalArn({ user, role, session }) {
  if (user) return `arn:aws:iam::111122223333:user/${user}`
  const [, , , , account, path] = role.split(':')
  return `arn:aws:sts::${account}:assumed-role/${path.split('/').at(-1)}/${session}`
}

async function decide(testCase) {
  const result = await runSimulation(
    {
      request: {
        principal: principalArn(testCase.principal),
        action: testCase.action,
        resource: { resource: testCase.resource, accountId: testCase.resource_account },
        contextVariables: testCase.context
      },
      identityPolicies: testCase.identity.length ? [{ name: 'identity', policy: policy(testCase.identity) }] : [],
      sessionPolicy: testCase.session && policy(testCase.session),
      resourcePolicy: testCase.resource_policy && policy(testCase.resource_policy),
      serviceControlPolicies: [],
      resourceControlPolicies: []
    },
    { simulationMode: 'Strict' }
  )
  if (result.resultType === 'error') return `error: ${JSON.stringify(result.errors)}`
  const ignored = result.result?.ignoredContextKeys ?? []
  return ignored.length ? `error: ignored context keys ${ignored}` : result.overallResult
}

const decisions = {}
for (const testCase of JSON.parse(readFileSync(process.argv[2], 'utf8'))) {
  decisions[testCase.name] = await decide(testCase)
}
console.log(JSON.stringify(decisions))
