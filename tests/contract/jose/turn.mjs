// turn.mjs open|seal: reads {"key": JWK, "data": base64 or JWE} from stdin, writes the other one to stdout.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(process.cwd() + "/");
const jose = await import(pathToFileURL(require.resolve("jose")));
const { key, data } = JSON.parse(readFileSync(0, "utf8"));
const imported = await jose.importJWK(key, "ECDH-ES+A256KW");
if (process.argv[2] === "open") {
  const { plaintext, protectedHeader } = await jose.compactDecrypt(data, imported);
  console.log(JSON.stringify({ data: Buffer.from(plaintext).toString("base64"), header: protectedHeader }));
} else {
  const header = { alg: "ECDH-ES+A256KW", enc: "A256GCM" };
  const sealed = new jose.CompactEncrypt(Buffer.from(data, "base64")).setProtectedHeader(header);
  console.log(JSON.stringify({ data: await sealed.encrypt(imported) }));
}
