{
  "target_defaults": {
    "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17"],
    "cflags_cc": ["-std=gnu++20", "-fexceptions", "-Wall", "-Wextra", "-Wno-missing-field-initializers"],
    "include_dirs": ["src/common"]
  },
  "targets": [
    {
      "target_name": "lendbuf",
      "sources": ["<!@(node scripts/sources.mjs addon common)"],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NODE_ADDON_API_CPP_EXCEPTIONS", "NODE_ADDON_API_CPP_EXCEPTIONS_ALL", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "ldflags": ["-Wl,-z,nodelete"]
    },
    {
      "target_name": "lendbuf-warden",
      "type": "executable",
      "sources": ["<!@(node scripts/sources.mjs warden common)"],
      "ldflags": ["-pthread"]
    },
    {
      "target_name": "lendbuf-holders",
      "type": "executable",
      "sources": ["<!@(node scripts/sources.mjs holders)"]
    },
    {
      "target_name": "lendbuf-hook",
      "type": "executable",
      "sources": ["<!@(node scripts/sources.mjs hook)"]
    }
  ]
}
