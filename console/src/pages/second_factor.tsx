import Alert from "@mui/material/Alert";
import Button from "@mui/material/Button";
import Stack from "@mui/material/Stack";
import TextField from "@mui/material/TextField";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useNavigate, useSearchParams } from "react-router-dom";
import { useClient } from "../data/client.ts";
import { useOperator } from "../parts/operator.tsx";
import { Page } from "../parts/page.tsx";
import { Failure, Loading } from "../parts/states.tsx";

/** Sets the second factor up, or confirms by it that it is the operator; then leads back. */
export function SecondFactorPage() {
  const { operator } = useOperator();
  return (
    <Page title="Second factor">
      {operator?.aal === "aal2"
        ? (
          <Alert severity="success" sx={{ my: 2 }}>
            You are signed in with your second factor.
          </Alert>
        )
        : <Factor />}
    </Page>
  );
}

function Factor() {
  const client = useClient();
  const factors = useQuery({
    queryKey: ["factors"],
    queryFn: async () => {
      const { data, error } = await client.auth.mfa.listFactors();
      if (error) throw error;
      return data.totp.filter(({ status }) => status === "verified");
    },
  });
  if (factors.isPending) return <Loading />;
  if (factors.error) {
    return <Failure error={factors.error} retry={() => factors.refetch()} />;
  }
  const [factor] = factors.data;
  return factor ? <Confirm factor={factor.id} /> : <SetUp />;
}

/** Shows what an authenticator app reads, then asks for its first code. */
function SetUp() {
  const client = useClient();
  const enrolling = useMutation({
    mutationFn: async () => {
      const name = `console ${new Date().toISOString()}`;
      const { data, error } = await client.auth.mfa
        .enroll({ factorType: "totp", friendlyName: name });
      if (error) throw error;
      return data;
    },
  });
  if (!enrolling.data) {
    return (
      <>
        <p>
          You have none yet. Open an authenticator app, such as 2FAS, Aegis,
          1Password or Google Authenticator, and begin.
        </p>
        {enrolling.error && (
          <>
            <Failure error={enrolling.error} />
            <p>
              A hosted project has it under Authentication → Multi-Factor
              (TOTP). The local stack has none: use the link that npm start
              prints.
            </p>
          </>
        )}
        <Button
          variant="contained"
          disabled={enrolling.isPending}
          onClick={() => enrolling.mutate()}
        >
          Set up the second factor
        </Button>
      </>
    );
  }
  const { id, totp } = enrolling.data;
  return (
    <>
      <p>Scan this with the app, or type the key in.</p>
      <img
        src={totp.qr_code}
        alt="QR code for the authenticator app"
        width={200}
        height={200}
      />
      <p className="id">{totp.secret}</p>
      <Confirm factor={id} />
    </>
  );
}

function Confirm({ factor }: { factor: string }) {
  const client = useClient();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [params] = useSearchParams();
  const [code, setCode] = useState("");
  const confirming = useMutation({
    mutationFn: async () => {
      const { error } = await client.auth.mfa
        .challengeAndVerify({ factorId: factor, code: code.trim() });
      if (error) throw error;
    },
    onSuccess: async () => {
      await queries.invalidateQueries();
      const back = params.get("back") ?? "/";
      // A page of this console, and no address of elsewhere.
      navigate({ pathname: /^\/\w/.test(back) ? back : "/" });
    },
  });
  const confirm = (event: FormEvent) => {
    event.preventDefault();
    confirming.mutate();
  };
  return (
    <Stack
      component="form"
      onSubmit={confirm}
      spacing={1}
      sx={{ my: 2, maxWidth: 320 }}
    >
      <TextField
        label="Code of the app"
        size="small"
        value={code}
        autoFocus
        autoComplete="one-time-code"
        onChange={(event) => setCode(event.target.value)}
        slotProps={{ htmlInput: { inputMode: "numeric", maxLength: 8 } }}
      />
      {confirming.error && <Failure error={confirming.error} />}
      <Button type="submit" variant="contained" disabled={confirming.isPending}>
        Confirm
      </Button>
    </Stack>
  );
}
