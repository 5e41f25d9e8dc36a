import Button from "@mui/material/Button";
import Stack from "@mui/material/Stack";
import TextField from "@mui/material/TextField";
import Typography from "@mui/material/Typography";
import { LoginPage } from "ra-supabase";
import { type FormEvent, useState } from "react";
import { useLogin } from "react-admin";
import { Failure } from "../parts/states.tsx";

/** ra-supabase's page with a form of plain fields: its own sets innerHTML, which the policy refuses (Trusted Types). */
export function SignInPage() {
  return (
    <LoginPage>
      <SignInForm />
    </LoginPage>
  );
}

function SignInForm() {
  const signIn = useLogin();
  const [error, setError] = useState<unknown>();
  const [sending, setSending] = useState(false);
  const send = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setSending(true);
    setError(undefined);
    try {
      await signIn({
        email: form.get("email"),
        password: form.get("password"),
      });
    } catch (error) {
      setError(error);
      setSending(false);
    }
  };
  return (
    <Stack component="form" onSubmit={send} spacing={2} sx={{ p: 2 }}>
      <Typography variant="h6" component="h1">
        Atomic Credits console
      </Typography>
      <TextField
        name="email"
        type="email"
        label="Email"
        size="small"
        autoComplete="email"
        autoFocus
        required
      />
      <TextField
        name="password"
        type="password"
        label="Password"
        size="small"
        autoComplete="current-password"
        required
      />
      {Boolean(error) && <Failure error={error} />}
      <Button type="submit" variant="contained" disabled={sending}>
        Sign in
      </Button>
    </Stack>
  );
}
