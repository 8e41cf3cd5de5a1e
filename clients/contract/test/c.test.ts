import { playContract } from "./suite.ts";

playContract("c");
