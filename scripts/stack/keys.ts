import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StackFailure } from "./failure.ts";

/** Keys of one local stack; each installation draws its own. */
export interface Keys {
  publishable: string;
  secret: string;
  /** Signs and verifies the users' tokens (HS256). */
  jwtSecret: string;
}

/**
 * The keys of a home folder, drawn on first use and kept in a file that only its owner can read.
 * @throws StackFailure when the file holds none.
 */
export function loadKeys(home: string): Keys {
  const file = join(home, "keys.json");
  if (existsSync(file)) return readKeys(file);
  const keys = {
    publishable: `sb_publishable_${randomBytes(18).toString("base64url")}`,
    secret: `sb_secret_${randomBytes(24).toString("base64url")}`,
    jwtSecret: randomBytes(32).toString("hex"),
  };
  writeFileSync(file, JSON.stringify(keys), { mode: 0o600 });
  return keys;
}

function readKeys(file: string): Keys {
  const keys = parse(readFileSync(file, "utf8"));
  if (keys?.publishable && keys.secret && keys.jwtSecret) return keys as Keys;
  throw new StackFailure(
    `${file} does not hold the stack's keys: remove it, and new keys are made; the data stays, but users must sign in again.`,
  );
}

function parse(text: string): Partial<Keys> | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The key set that the functions verify users' tokens by. */
export function jwks(keys: Keys): string {
  const k = Buffer.from(keys.jwtSecret).toString("base64url");
  return JSON.stringify({
    keys: [{ kty: "oct", alg: "HS256", kid: "local", k }],
  });
}
