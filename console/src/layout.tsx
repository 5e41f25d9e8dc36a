import SearchIcon from "@mui/icons-material/Search";
import Alert from "@mui/material/Alert";
import Box from "@mui/material/Box";
import Button from "@mui/material/Button";
import IconButton from "@mui/material/IconButton";
import InputBase from "@mui/material/InputBase";
import Typography from "@mui/material/Typography";
import { type FormEvent, type ReactNode, useEffect, useRef } from "react";
import {
  AppBar,
  Layout,
  TitlePortal,
  useGetIdentity,
  useLogout,
} from "react-admin";
import { useNavigate } from "react-router-dom";
import { ConsoleMenu } from "./menu.tsx";
import { ZONE } from "./parts/format.ts";
import { useOperator } from "./parts/operator.tsx";
import { Failure, Loading } from "./parts/states.tsx";

export function ConsoleLayout({ children }: { children: ReactNode }) {
  return (
    <Layout appBar={ConsoleBar} menu={ConsoleMenu}>
      <Welcome>{children}</Welcome>
      <Typography variant="caption" color="text.secondary" sx={{ my: 2 }}>
        Times are in {ZONE}
        {ZONE === "UTC" ? "." : "; point at one for UTC."}
      </Typography>
    </Layout>
  );
}

/** The pages, for who is an operator; and for others what to do. */
function Welcome({ children }: { children: ReactNode }) {
  const { operator, error, isPending, refetch } = useOperator();
  const signOut = useLogout();
  if (isPending) return <Loading />;
  if (error) return <Failure error={error} retry={() => refetch()} />;
  if (operator) return <Box sx={{ minWidth: 0 }}>{children}</Box>;
  return (
    <Alert
      severity="warning"
      sx={{ mt: 2 }}
      action={
        <Button color="inherit" size="small" onClick={() => signOut()}>
          Sign out
        </Button>
      }
    >
      You are signed in, but you are no operator. Ask an admin of the operators
      to add you.
    </Alert>
  );
}

function ConsoleBar() {
  return (
    <AppBar alwaysOn userMenu={<SignOut />}>
      <TitlePortal sx={{ display: { xs: "none", md: "block" } }} />
      <QuickSearch />
    </AppBar>
  );
}

function SignOut() {
  const signOut = useLogout();
  const { identity } = useGetIdentity();
  return (
    <Button
      color="inherit"
      size="small"
      title={identity?.fullName}
      onClick={() => signOut()}
      sx={{ whiteSpace: "nowrap" }}
    >
      Sign out
    </Button>
  );
}

/** The field that `/` goes to from anywhere. */
function QuickSearch() {
  const field = useRef<HTMLInputElement>(null);
  const navigate = useNavigate();
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      const typing = target.closest("input, textarea, [contenteditable]");
      if (event.key !== "/" || typing || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      field.current?.focus();
      field.current?.select();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  const search = (event: FormEvent) => {
    event.preventDefault();
    const text = field.current!.value.trim();
    if (text) navigate(`/?q=${encodeURIComponent(text)}`);
  };
  return (
    <Box
      component="form"
      role="search"
      onSubmit={search}
      sx={{
        display: "flex",
        flex: "1 1 auto",
        minWidth: 0,
        maxWidth: 480,
        pl: 1,
        borderRadius: 1,
        bgcolor: "rgba(255, 255, 255, 0.12)",
      }}
    >
      <InputBase
        inputRef={field}
        placeholder="Search ( / )"
        inputProps={{ "aria-label": "Search", maxLength: 255 }}
        sx={{ color: "inherit", flex: 1, minWidth: 0 }}
      />
      <IconButton type="submit" color="inherit" aria-label="Search for it">
        <SearchIcon />
      </IconButton>
    </Box>
  );
}
