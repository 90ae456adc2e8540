@NullMarked
package dev.waymark.cache;

import org.jspecify.annotations.NullMarked;
