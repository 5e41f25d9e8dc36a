/** Tokens a second of the provider that the bench of text goes by. */
export const STEADY = 10_000;
