// Prints what the functions of a given project must be told, as lines NAME=value.
// Usage: npx tsx tests/support/print_given_environment.ts <host where they reach this machine>

import { givenFunctionsEnvironment } from "./given_project.ts";

const [, , host = "127.0.0.1"] = process.argv;
for (const [name, value] of Object.entries(givenFunctionsEnvironment(host))) {
  console.log(`${name}=${value}`);
}
