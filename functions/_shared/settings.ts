import { Webhook } from "standardwebhooks";
import { logEvent } from "./log.ts";

/** Reads a variable of the functions' environment. */
export type Environment = (name: string) => string | undefined;

/**
 * Sign and verify with the secrets of a variable: one, or while it is rotated the new and the old one with a
 * space between them.
 *
 * @returns undefined if one of them is invalid; the log then names the variable, never its value
 */
export function webhooksOf(
  variable: string,
  secrets: string,
): Webhook[] | undefined {
  try {
    return secrets.trim().split(/\s+/).map((secret) => new Webhook(secret));
  } catch {
    const form = "whsec_ and the base64 of at least 24 random bytes";
    return misconfigured(variable, `Set ${variable} to ${form}.`);
  }
}

/**
 * The address of a variable.
 *
 * @returns undefined if it is not an http address; the log then names the variable, never its value
 */
export function addressOf(variable: string, value: string): string | undefined {
  return /^https?:\/\//i.test(value) && URL.canParse(value)
    ? value
    : misconfigured(variable, `Set ${variable} to an http or https address.`);
}

function misconfigured(variable: string, remedy: string): undefined {
  logEvent("error", "misconfigured", { variable, remedy });
}
