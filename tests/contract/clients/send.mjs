// A Node library as its users have it: argv is the folder of node_modules, its name, the endpoint and the key.
// Ten events, of which the fifth can never be taken: it is nested too deeply.
import { createRequire } from "node:module";

const [folder, library, host, writeKey] = process.argv.slice(2);
const loaded = createRequire(`${folder}/`)(library);
const makers = {
  "@segment/analytics-node": () => new loaded.Analytics({ writeKey, host }),
  "analytics-node": () => new loaded(writeKey, { host }),
  "@rudderstack/rudder-sdk-node": () => new loaded(writeKey, { dataPlaneUrl: host }),
  "@expo/rudder-sdk-node": () => new loaded.default(writeKey, `${host}/v1/batch`),
};
const analytics = makers[library]();
const failures = [];
const sent = [];
const send = (kind, message) => {
  const told = (error) => error && failures.push(String(error));
  sent.push(new Promise((done) => analytics[kind]({ userId: "user-1", ...message }, (error) => done(told(error)))));
};
let deep = {};
for (let level = 0; level < 120; level++) deep = { deeper: deep };
send("identify", { traits: { plan: "free" } });
for (let number = 0; number < 10; number++) {
  send("track", { event: "Tried it", properties: { number, ...(number === 4 ? deep : {}) } });
}
await (analytics.closeAndFlush ? analytics.closeAndFlush() : analytics.flush());
await Promise.all(sent);
console.log(JSON.stringify({ failures }));
process.exit(0); // some leave a timer behind
