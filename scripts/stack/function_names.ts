import { readdirSync } from "node:fs";

/** Where the edge functions are. */
export const FUNCTIONS_FOLDER = new URL("../../functions/", import.meta.url);

/** The edge functions: the folders that are not for what they share. */
export const FUNCTION_NAMES: readonly string[] = readdirSync(FUNCTIONS_FOLDER, {
  withFileTypes: true,
})
  .filter((entry) => entry.isDirectory() && !entry.name.startsWith("_"))
  .map((entry) => entry.name)
  .sort();
