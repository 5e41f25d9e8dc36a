/** What the names of the functions begin with in this project: `npx atomic-credits init --prefix` writes another one. */
export const FUNCTION_PREFIX: string = "";
