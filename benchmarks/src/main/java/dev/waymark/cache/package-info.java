/** A way into the cache's seams, for what only a test may do. Never published. */
@NullMarked
package dev.waymark.cache;

import org.jspecify.annotations.NullMarked;
