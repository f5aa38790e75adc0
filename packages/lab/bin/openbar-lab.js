#!/usr/bin/env node
// A file of its own, outside the build: npm links commands when it installs, and there is nothing in dist/ then.
import '../dist/cli.js'
