import type { Family } from "../scenario.ts";
import { charges } from "./charges.ts";

/** All that is measured, in this order. */
export const FAMILIES: readonly Family[] = [charges];
