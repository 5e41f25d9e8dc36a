/**
 * The SHA-256 of nothing. MUI's emotion makes style elements without text and writes its rules through the CSSOM,
 * which a policy does not restrict: so an inline style with a text of any kind stays refused, and no nonce is needed.
 */
const EMPTY_STYLE = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='";

/** What the pages may do: load their own files, ask one API, and show the second factor's QR code. */
const PAGES = {
  "default-src": "'none'",
  "script-src": "'self'",
  "style-src": `'self' ${EMPTY_STYLE}`,
  "img-src": "'self' data:",
  "base-uri": "'none'",
  "form-action": "'none'",
  "require-trusted-types-for": "'script'",
  "trusted-types": "'none'",
};

/** What the built page says itself, for hosts that send no headers. It does not know the API's address yet. */
export const POLICY_OF_THE_PAGE = written({
  ...PAGES,
  "connect-src": "'self' https: http://127.0.0.1:* http://localhost:*",
});

/**
 * The headers that the console is served with.
 *
 * @param api the project's address, the only one that the pages may ask
 */
export function consoleHeaders(api: string): Record<string, string> {
  return {
    "content-security-policy": written({
      ...PAGES,
      "connect-src": `'self' ${new URL(api).origin}`,
      "frame-ancestors": "'none'",
    }),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
  };
}

/** The same in the form that Netlify and Cloudflare Pages read beside the files. */
export function headersFile(api: string): string {
  const lines = Object.entries(consoleHeaders(api))
    .map(([name, value]) => `  ${name}: ${value}\n`);
  return `/*\n${lines.join("")}`;
}

function written(policy: Record<string, string>): string {
  return Object.entries(policy)
    .map(([directive, sources]) => `${directive} ${sources}`)
    .join("; ");
}
