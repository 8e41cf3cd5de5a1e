import { playContract } from "./suite.ts";

playContract("python");
