import { membersInTheWay, vfioFunctions } from "../pci-function.ts";
import { type Check, fine } from "./check.ts";

export const groupCheck: Check = {
  name: "group",
  look: ({ files }) =>
    vfioFunctions(files).map((function_) => {
      const { bdf, iommuGroup, groupMembers } = function_;
      const inTheWay = membersInTheWay(files, function_);
      if (inTheWay.length === 0)
        return fine(
          bdf,
          `IOMMU group ${iommuGroup ?? "none"} of ${groupMembers.length}`,
          "No other driver has a member of its group.",
        );
      return {
        subject: bdf,
        severity: "problem" as const,
        seen: `its IOMMU group ${iommuGroup} also has ${inTheWay.map((member) => `${member.bdf} (driver ${member.driver})`).join(", ")}`,
        means:
          "The members of a group can reach each other's memory, so VFIO opens none of them while another driver has one.",
        advice: "Give those to vfio-pci too, or move the card to another slot.",
        command: `sudo lendbuf device bind ${inTheWay.map((member) => member.bdf).join(" ")}`,
      };
    }),
};
