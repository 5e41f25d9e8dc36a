import Box from "@mui/material/Box";
import Typography from "@mui/material/Typography";
import type { ReactNode } from "react";
import { Title } from "react-admin";

/** A page: its name as the heading and in the browser's title, and what belongs beside it. */
export function Page(
  { title, aside, children }: {
    title: string;
    aside?: ReactNode;
    children: ReactNode;
  },
) {
  return (
    <Box sx={{ mt: 2, minWidth: 0 }}>
      <Title title={title} preferenceKey={false} />
      <Box
        sx={{
          display: "flex",
          flexWrap: "wrap",
          gap: 1,
          alignItems: "center",
          justifyContent: "space-between",
        }}
      >
        <Typography
          variant="h5"
          component="h1"
          sx={{ overflowWrap: "anywhere" }}
        >
          {title}
        </Typography>
        <Box sx={{ display: "flex", flexWrap: "wrap", gap: 1 }}>{aside}</Box>
      </Box>
      {children}
    </Box>
  );
}

/** A part of a page. */
export function Section(
  { title, children }: { title: string; children: ReactNode },
) {
  return (
    <Box component="section" sx={{ mt: 3 }}>
      <Typography variant="h6" component="h2">{title}</Typography>
      {children}
    </Box>
  );
}

/** Names and values beside each other. */
export function Figures(
  { of }: { of: Readonly<Record<string, ReactNode>> },
) {
  return (
    <dl className="figures">
      {Object.entries(of).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
