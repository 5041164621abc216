// @segment/analytics-node as its users have it: argv is its folder, the endpoint, the key, and the batch size.
import { createRequire } from "node:module";

const [folder, host, writeKey, size] = process.argv.slice(2);
const { Analytics } = createRequire(`${folder}/`)("@segment/analytics-node");
const failures = [];
const ids = [];
const analytics = new Analytics({ writeKey, host, ...(size ? { flushAt: Number(size) } : {}) });
const done = (error, context) => (error ? failures.push(String(error)) : ids.push(context.event.messageId));
for (let number = 0; number < 5; number++) {
  analytics.track({ userId: "user-1", event: "Node tracked", properties: { number } }, done);
}
analytics.identify({ userId: "user-1", traits: { plan: "free" } }, done);
analytics.page({ userId: "user-1", name: "Docs" }, done);
analytics.group({ userId: "user-1", groupId: "group-1" }, done);
analytics.alias({ userId: "user-1", previousId: "user-0" }, done);
await analytics.closeAndFlush();
console.log(JSON.stringify({ ids, failures }));
