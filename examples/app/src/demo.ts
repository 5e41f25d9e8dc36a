/** What only `npm start` of Atomic Credits has: a user, and a model that always fails. Nothing in your own project. */
export const demo = import.meta.env.VITE_DEMO === "true"
  ? {
    email: "demo@example.com",
    password: "demo-password",
    failingModel: "always-fails",
  }
  : undefined;
