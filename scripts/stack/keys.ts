import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Keys of one local stack; each installation draws its own. */
export interface Keys {
  publishable: string;
  secret: string;
  /** Signs and verifies the users' tokens (HS256). */
  jwtSecret: string;
}

/** The keys of a home folder, drawn on first use and kept in a file that only its owner can read. */
export function loadKeys(home: string): Keys {
  const file = join(home, "keys.json");
  if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8"));
  const keys = {
    publishable: `sb_publishable_${randomBytes(18).toString("base64url")}`,
    secret: `sb_secret_${randomBytes(24).toString("base64url")}`,
    jwtSecret: randomBytes(32).toString("hex"),
  };
  writeFileSync(file, JSON.stringify(keys), { mode: 0o600 });
  return keys;
}

/** The key set that the functions verify users' tokens by. */
export function jwks(keys: Keys): string {
  const k = Buffer.from(keys.jwtSecret).toString("base64url");
  return JSON.stringify({
    keys: [{ kty: "oct", alg: "HS256", kid: "local", k }],
  });
}
