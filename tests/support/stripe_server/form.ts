/** What a form of Stripe's holds: `a[b][0][c]=d` is `{a: {b: {0: {c: "d"}}}}`. */
export type Form = { [name: string]: string | Form };

/** Reads Stripe's encoding of nested values. */
export function readForm(text: string): Form {
  const form: Form = {};
  for (const [path, value] of new URLSearchParams(text)) {
    const names = path.split(/[[\]]+/).filter((name) => name !== "");
    const last = names.pop()!;
    let at = form;
    for (const name of names) at = (at[name] ??= {}) as Form;
    // An array without indices, as in types[]=a: names of their own.
    if (path.endsWith("[]")) {
      at = (at[last] ??= {}) as Form;
      at[Object.keys(at).length] = value;
    } else {
      at[last] = value;
    }
  }
  return form;
}

/** The values of an array. */
export function listOf(value: string | Form | undefined): (string | Form)[] {
  return value === undefined ? [] : Object.values(value);
}

/** A text member. */
export function textOf(value: string | Form | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** Names and texts, as metadata has them. */
export function textsOf(
  value: string | Form | undefined,
): Record<string, string> {
  return typeof value === "object" ? value as Record<string, string> : {};
}
