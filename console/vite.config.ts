import { defineConfig } from "vite";

// Addresses are relative: the service may lie below a path (app/api/console.py writes the base).
export default defineConfig({ base: "./", build: { target: "es2022", assetsInlineLimit: 0, modulePreload: false } });
