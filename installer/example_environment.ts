/** Adds the variables that a .env.example does not name yet. */
export function withVariables(found: string, ours: string): string {
  const [head = "", ...lines] = ours.trimEnd().split("\n");
  const named = new Set(
    found.split("\n").map((line) => nameOf(line.replace(/^#\s*/, ""))),
  );
  const missing = lines.filter((line) => !named.has(nameOf(line)));
  if (missing.length === 0) return found;
  const before = found === "" ? "" : `${found.trimEnd()}\n\n`;
  return `${before}${[head, ...missing].join("\n")}\n`;
}

/** Takes out the lines that are as they were added. */
export function withoutVariables(found: string, ours: string): string {
  const added = new Set(ours.trimEnd().split("\n"));
  const rest = found.split("\n").filter((line) => !added.has(line)).join("\n");
  return rest.trim() === "" ? "" : `${rest.trimEnd()}\n`;
}

function nameOf(line: string): string {
  return line.split("=")[0]!.replace(/^export\s+/, "").trim();
}
