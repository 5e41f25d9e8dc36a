/** Quotes a text as SQL writes it. */
export const literal = (value: string): string =>
  `'${value.replaceAll("'", "''")}'`;

/** Options of a server or a mapping, as SQL writes them. */
export function optionsOf(
  values: Readonly<Record<string, string>>,
  verb = "",
): string {
  const options = Object.entries(values).map(([name, value]) =>
    `${verb} ${name} ${literal(value)}`.trim()
  );
  return `options (${options.join(", ")})`;
}
