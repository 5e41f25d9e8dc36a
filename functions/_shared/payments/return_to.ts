import { invalidRequest, paymentsNotSetUp } from "../problem.ts";
import type { Environment } from "../settings.ts";

/**
 * Where a buyer comes back to: what the request asks for, if PAYMENTS_RETURN_URLS allows it, else the first of these
 * addresses. One that is listed allows itself and what is below its path, on the same origin: so no request can send
 * a buyer to a page that is not the app's.
 *
 * @throws {Problem} 400 `invalid_request` for an address that is not allowed; 501 where one is needed and none is listed
 */
export function returnAddress(
  asked: string | undefined,
  environment: Environment,
  isNeeded: boolean,
): string | undefined {
  const allowed = (environment("PAYMENTS_RETURN_URLS") ?? "")
    .split(/\s+/).filter((url) => URL.canParse(url));
  if (asked !== undefined) return allowedAddress(asked, allowed);
  if (allowed[0] || !isNeeded) return allowed[0];
  throw paymentsNotSetUp(
    "set PAYMENTS_RETURN_URLS to the addresses that a buyer may come back to.",
  );
}

function allowedAddress(asked: string, allowed: string[]): string {
  const url = URL.canParse(asked) ? new URL(asked) : undefined;
  if (url && allowed.some((base) => isBelow(url, new URL(base)))) {
    return url.href;
  }
  const message = "must be an address that PAYMENTS_RETURN_URLS allows";
  throw invalidRequest(`The field return_to ${message}.`, [
    { field: "return_to", message },
  ]);
}

/** A URL has been parsed by then: its path has no `..` any more. */
function isBelow(url: URL, base: URL): boolean {
  const path = base.pathname.replace(/\/$/, "");
  return url.origin === base.origin && url.origin !== "null" &&
    url.username === "" && url.password === "" &&
    (url.pathname === path || url.pathname.startsWith(`${path}/`));
}
