import { type Check, fine } from "./check.ts";

/** The check of verify_deployment() that a shard has, and the one of its router. */
const OF_SHARD = "the shard has its own accounts alone";
const OF_ROUTER = "the router holds no account";

/**
 * What is not checked of a shard by itself: its users sign up at the router, which alone writes plans and prices.
 * @returns undefined where the functions can be tried, on a router and on one database
 */
export function leftOut(database: readonly Check[]): Check | undefined {
  const names = new Set(database.map(({ check_name }) => check_name));
  if (!names.has(OF_SHARD) || names.has(OF_ROUTER)) return undefined;
  return fine(
    "the functions are checked",
    "left out: this database is a shard, whose users sign up at the router. Run npm run verify with the router's URL",
  );
}
