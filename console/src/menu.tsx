import ApprovalIcon from "@mui/icons-material/HowToReg";
import AlertIcon from "@mui/icons-material/NotificationsActive";
import BalanceIcon from "@mui/icons-material/Balance";
import EventIcon from "@mui/icons-material/Outbox";
import GroupIcon from "@mui/icons-material/Group";
import HealthIcon from "@mui/icons-material/MonitorHeart";
import JobIcon from "@mui/icons-material/AutoAwesome";
import LogIcon from "@mui/icons-material/History";
import PaymentIcon from "@mui/icons-material/Payments";
import PriceIcon from "@mui/icons-material/Sell";
import SearchIcon from "@mui/icons-material/Search";
import SecondIcon from "@mui/icons-material/Key";
import { Menu } from "react-admin";

const ITEMS = [
  ["/", "Search", SearchIcon],
  ["/jobs", "Jobs", JobIcon],
  ["/payments", "Payments", PaymentIcon],
  ["/approvals", "Approvals", ApprovalIcon],
  ["/alerts", "Alerts", AlertIcon],
  ["/discrepancies", "Discrepancies", BalanceIcon],
  ["/events", "Events", EventIcon],
  ["/models", "Models", PriceIcon],
  ["/providers", "Providers", HealthIcon],
  ["/team", "Operators", GroupIcon],
  ["/log", "Log", LogIcon],
  ["/second-factor", "Second factor", SecondIcon],
] as const;

export function ConsoleMenu() {
  return (
    <Menu>
      {ITEMS.map(([to, label, Icon]) => (
        <Menu.Item key={to} to={to} primaryText={label} leftIcon={<Icon />} />
      ))}
    </Menu>
  );
}
