import { playContract } from "./suite.ts";

playContract("command-line");
