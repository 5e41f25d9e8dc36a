import { createHmac } from "node:crypto";
import { stack } from "./stack.ts";

/** What a forged token deviates in from a valid one. */
export interface TokenOptions {
  /** Claims that replace or add to those of a signed-in user. */
  readonly claims?: Record<string, unknown>;
  /** Algorithm named in the header; `none` leaves the signature empty. */
  readonly algorithm?: "HS256" | "none";
  /** HS256 secret; the stack's own unless told. */
  readonly secret?: string;
  /** More of the header, such as the key's id. */
  readonly header?: Record<string, unknown>;
}

/** Makes an access token of the shape that a project's Auth issues. */
export function makeToken(
  userId: string,
  { claims = {}, algorithm = "HS256", secret = stack.jwtSecret, header }:
    TokenOptions = {},
): string {
  const nowSeconds = Math.floor(Date.now() / 1000);
  const payload = {
    sub: userId,
    role: "authenticated",
    aud: "authenticated",
    iss: `${stack.url}/auth/v1`,
    iat: nowSeconds,
    exp: nowSeconds + 600,
    ...claims,
  };
  const head = `${encode({ alg: algorithm, typ: "JWT", ...header })}.${
    encode(payload)
  }`;
  const signature = algorithm === "none"
    ? ""
    : createHmac("sha256", secret).update(head).digest("base64url");
  return `${head}.${signature}`;
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
