{
  "target_defaults": {
    "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17"],
    "cflags_cc": ["-std=gnu++20", "-fexceptions", "-Wall", "-Wextra", "-Wno-missing-field-initializers"],
    "include_dirs": ["src/common"]
  },
  "targets": [
    {
      "target_name": "lendbuf",
      "sources": ["<!@(node -p \"require('fs').readdirSync('src/addon').concat().filter(f=>f.endsWith('.cc')).map(f=>'src/addon/'+f).join(' ')\")", "src/common/guard.cc", "src/common/packet.cc"],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NODE_ADDON_API_CPP_EXCEPTIONS", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "ldflags": ["-Wl,-z,nodelete"]
    },
    {
      "target_name": "lendbuf-warden",
      "type": "executable",
      "sources": ["<!@(node -p \"require('fs').readdirSync('src/warden').filter(f=>f.endsWith('.cc')).map(f=>'src/warden/'+f).join(' ')\")", "src/common/guard.cc", "src/common/packet.cc"],
      "ldflags": ["-pthread"]
    }
  ]
}
