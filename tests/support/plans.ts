/** The plan of tests that are not about the rate limit. */
export const UNHURRIED_PLAN = "test-unhurried";
