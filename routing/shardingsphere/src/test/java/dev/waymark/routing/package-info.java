/** Tests that look at how the data source decides. */
@NullMarked
package dev.waymark.routing;

import org.jspecify.annotations.NullMarked;
