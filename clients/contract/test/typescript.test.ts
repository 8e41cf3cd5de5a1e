import { playContract } from "./suite.ts";

playContract("typescript");
