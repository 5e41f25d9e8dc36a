// Plain JavaScript without dependencies, because it runs before any is installed.

/**
 * Whether a version of Node is in a range like `^20.19.0 || >=24.0.0`.
 *
 * @param {string} version such as "22.12.0"
 * @param {string} range as in package.json's `engines`
 * @returns {boolean}
 */
export function satisfies(version, range) {
  const numbers = (text) => text.split(".").map(Number);
  const [major, minor] = numbers(version);
  return range.split(" || ").some((part) => {
    const [least, leastMinor] = numbers(part.replace(/^\D+/, ""));
    return major === least
      ? minor >= leastMinor
      : major > least && part.startsWith(">=");
  });
}
