// The state of something as a chip: sign, word and colour say the same.
import { words } from "../format";
import { Icon, type IconName } from "./Icon";

export type Grade = "good" | "warn" | "bad";

const kGood = new Set(["healthy", "ok", "active", "online", "operational", "good", "up", "open"]);
const kBad = new Set(["unhealthy", "down", "offline", "failed", "critical", "error", "closed", "halted"]);

export const gradeOf = (status: string | undefined): Grade =>
  kGood.has((status ?? "").toLowerCase()) ? "good" : kBad.has((status ?? "").toLowerCase()) ? "bad" : "warn";

const kSigns: Record<Grade, IconName> = { good: "check", warn: "warning", bad: "cross" };

export function Status({ status, grade = gradeOf(status) }: { status: string | undefined; grade?: Grade }) {
  return (
    <span className={`chip ${grade}`}>
      <Icon name={kSigns[grade]} size={13} />
      {words(status ?? "unknown")}
    </span>
  );
}
