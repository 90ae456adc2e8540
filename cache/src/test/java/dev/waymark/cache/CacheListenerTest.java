package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.Role;
import dev.waymark.Route;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class CacheListenerTest {
  private final List<String> told = new ArrayList<>();

  /** All that a listener may be told. */
  private static final List<Method> EVENTS =
      Arrays.stream(CacheListener.class.getMethods())
          .filter(method -> method.isDefault() && method.getReturnType() == void.class)
          .toList();

  private CacheListener noting(String name) {
    return (CacheListener)
        Proxy.newProxyInstance(
            CacheListener.class.getClassLoader(),
            new Class<?>[] {CacheListener.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("equals")) {
                return proxy == arguments[0];
              }
              if (method.getName().equals("and")) {
                return InvocationHandler.invokeDefault(proxy, method, arguments);
              }
              told.add(name + " " + method.getName() + " " + Arrays.toString(arguments));
              return null;
            });
  }

  private static Object any(Class<?> type) {
    if (type == String.class) {
      return "users";
    }
    if (type == long.class) {
      return 7L;
    }
    if (type == Duration.class) {
      return Duration.ofSeconds(7);
    }
    if (type == Throwable.class) {
      return new IllegalStateException("seven");
    }
    if (type == Route.class) {
      return new Route("shard-1", "a", Role.PRIMARY, Route.Reason.STRONG, 1);
    }
    return type.getEnumConstants()[0];
  }

  private static void tellAll(CacheListener listener) throws ReflectiveOperationException {
    for (Method event : EVENTS) {
      event.invoke(
          listener, Arrays.stream(event.getParameterTypes()).map(CacheListenerTest::any).toArray());
    }
  }

  @Test
  void bothListenersAreToldOfEverythingInOrder() throws ReflectiveOperationException {
    assertThat(EVENTS).hasSizeGreaterThan(6).noneMatch(e -> Modifier.isStatic(e.getModifiers()));
    tellAll(CarefulCacheListener.around(noting("one").and(noting("two"))));
    assertThat(told).hasSize(2 * EVENTS.size());
    for (int i = 0; i < EVENTS.size(); i++) {
      assertThat(told.get(2 * i)).startsWith("one " + EVENTS.get(i).getName() + " [");
      assertThat(told.get(2 * i + 1)).isEqualTo(told.get(2 * i).replaceFirst("^one", "two"));
    }
  }

  @Test
  void nobodyAddsNothing() {
    CacheListener one = new CacheListener() {};
    assertThat(CacheListener.none().and(one)).isSameAs(one);
    assertThat(one.and(CacheListener.none())).isSameAs(one);
    assertThat(CarefulCacheListener.around(CacheListener.none())).isSameAs(CacheListener.none());
  }

  @Test
  void listenerThatThrowsHarmsNobodyAndIsLoggedOnce() throws ReflectiveOperationException {
    CacheListener broken =
        (CacheListener)
            Proxy.newProxyInstance(
                CacheListener.class.getClassLoader(),
                new Class<?>[] {CacheListener.class},
                (proxy, method, arguments) -> {
                  if (method.getName().equals("equals")) {
                    return false;
                  }
                  throw new IllegalStateException("broken");
                });
    try (LogWatch log = new LogWatch()) {
      tellAll(CarefulCacheListener.around(broken));
      assertThat(log.warnings())
          .containsExactly("A listener failed; later failures of it are not logged");
    }
  }
}
