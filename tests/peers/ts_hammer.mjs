// Many calls of a client on the TypeScript SDK. Its one argument is JSON: {sdk: "v1"|"v2", era, target: an address,
// label, tools: [{name, argument, before}], count, together}. It prints how many were right, which failed, and which
// were answered with what wasn't theirs, as JSON. The SDK is found in the node_modules folder beside it.

const { sdk, era, target, label, tools, count, together } = JSON.parse(process.argv[2]);

const ROOT = sdk === "v1" ? "@modelcontextprotocol/sdk" : "@modelcontextprotocol/client";
const load = (part) => import(sdk === "v1" ? `${ROOT}/client/${part}.js` : ROOT);

const { Client } = await load("index");
const { StreamableHTTPClientTransport } = await load("streamableHttp");
const options = sdk === "v2" ? { versionNegotiation: { mode: era } } : {};
const client = new Client({ name: label, version: "1.0.0" }, options);
const timeout = 60_000;
await client.connect(new StreamableHTTPClientTransport(new URL(target)), { timeout });

const schema = sdk === "v1" ? [undefined] : []; // v1 may be told the result's schema
const told = { right: 0, failed: {}, wrong: [] };
let next = 0;

async function hammer() {
  while (next < count) {
    const number = next++;
    const { name, argument, before } = tools[number % tools.length];
    const text = `${label} ${number} ${name}`;
    let said;
    try {
      const result = await client.callTool({ name, arguments: { [argument]: text } }, ...schema, { timeout });
      said = result.isError ? null : result.content[0].text;
      if (result.isError) told.failed[result.content[0].text] = (told.failed[result.content[0].text] ?? 0) + 1;
    } catch (error) {
      told.failed[error.message] = (told.failed[error.message] ?? 0) + 1;
      continue;
    }
    if (said === before + text) told.right += 1;
    else if (said !== null) told.wrong.push([text, said]);
  }
}

await Promise.all(Array.from({ length: together }, hammer));
await client.close();
console.log(JSON.stringify(told));
