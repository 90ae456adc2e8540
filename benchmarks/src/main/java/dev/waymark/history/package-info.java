/** Fault histories: what many sessions did on a real cluster while it failed, and a checker. */
@NullMarked
package dev.waymark.history;

import org.jspecify.annotations.NullMarked;
