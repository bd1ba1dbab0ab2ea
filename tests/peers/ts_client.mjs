// A client on the TypeScript SDK. Its one argument is JSON: {sdk: "v1"|"v2", era, transport: "http"|"sse"|"stdio",
// target: an address or a command line, script: [{method, params}]}. It prints what each step gave, as JSON.
// The SDK is found in the node_modules folder beside it.

const { sdk, era, transport, target, script } = JSON.parse(process.argv[2]);

const ROOT = sdk === "v1" ? "@modelcontextprotocol/sdk" : "@modelcontextprotocol/client";
const v1 = (part) => import(`${ROOT}/client/${part}.js`);
const v2 = (part) => import(part === "stdio" ? `${ROOT}/stdio` : ROOT);
const load = sdk === "v1" ? v1 : v2;

const { Client } = await load("index");
const options = { capabilities: { elicitation: { form: {} }, sampling: {} } };
if (sdk === "v2") options.versionNegotiation = { mode: era };
const client = new Client({ name: "tidegate-test", version: "1.0.0" }, options);

const elicited = () => ({ action: "accept", content: { username: "a", email: "a@example.com" } });
if (sdk === "v1") {
  const { ElicitRequestSchema } = await import(`${ROOT}/types.js`);
  client.setRequestHandler(ElicitRequestSchema, elicited);
} else {
  client.setRequestHandler("elicitation/create", elicited);
}

async function connection() {
  if (transport === "http") {
    const { StreamableHTTPClientTransport } = await load("streamableHttp");
    return new StreamableHTTPClientTransport(new URL(target));
  }
  if (transport === "sse") {
    const { SSEClientTransport } = await load("sse");
    return new SSEClientTransport(new URL(target));
  }
  const { StdioClientTransport } = await load("stdio");
  const [command, ...args] = target;
  return new StdioClientTransport({ command, args, env: process.env });
}

const NAMES = {
  "tools/list": "listTools",
  "tools/call": "callTool",
  "resources/list": "listResources",
  "resources/templates/list": "listResourceTemplates",
  "resources/read": "readResource",
  "prompts/list": "listPrompts",
  "prompts/get": "getPrompt",
  "completion/complete": "complete",
};

function ask(method, params, options) {
  const schema = sdk === "v1" && method === "tools/call" ? [undefined] : []; // v1 may be told the result's schema
  return client[NAMES[method]](params, ...schema, options);
}

const timeout = 30_000;
await client.connect(await connection(), { timeout });
const told = [{ server: client.getServerVersion(), capabilities: client.getServerCapabilities() }];
for (const { method, params } of script) {
  const entry = { asked: `${method} ${params.name ?? params.uri ?? ""}`.trim() };
  const progress = [];
  const onprogress = ({ progress: done, total }) => progress.push([done, total]);
  try {
    entry.result = await ask(method, params, { onprogress, timeout });
  } catch (error) {
    entry.error = { code: error.code ?? null, message: error.message };
  }
  // The first alone: the SDK may have the result before it has handled what came just ahead of it.
  if (progress.length) entry.progress = progress[0];
  told.push(entry);
}
await client.close();
console.log(JSON.stringify(told));
