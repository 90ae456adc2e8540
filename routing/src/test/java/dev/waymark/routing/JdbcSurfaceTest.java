package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Holds the table of {@code docs/jdbc.md} against the classes. */
class JdbcSurfaceTest {
  /** Whose methods pass on what they are asked. */
  private static final Set<Class<?>> DELEGATING =
      Set.of(
          DelegatingResultSet.class, DelegatingMetaData.class, DelegatingCallableStatement.class);

  private static final Map<Class<?>, Class<?>> CLASSES = classes();

  private static Map<Class<?>, Class<?>> classes() {
    Map<Class<?>, Class<?>> classes = new LinkedHashMap<>();
    classes.put(Connection.class, ShardedConnection.class);
    classes.put(Statement.class, ShardedStatement.class);
    classes.put(PreparedStatement.class, ShardedPreparedStatement.class);
    classes.put(CallableStatement.class, ShardedCallableStatement.class);
    classes.put(ResultSet.class, ShardedResultSet.class);
    classes.put(DatabaseMetaData.class, ShardedMetaData.class);
    return classes;
  }

  /** How one interface's methods are answered. */
  private record Count(int delegated, int own, int refused, int inherited) {
    private String row(Class<?> of) {
      return "| "
          + of.getSimpleName()
          + " | "
          + delegated
          + " | "
          + own
          + " | "
          + refused
          + " | "
          + inherited
          + " |";
    }
  }

  private static Count count(Class<?> api, Class<?> ours) throws NoSuchMethodException {
    int delegated = 0;
    int own = 0;
    int refused = 0;
    int inherited = 0;
    for (Method method : api.getDeclaredMethods()) {
      if (Modifier.isStatic(method.getModifiers())) {
        continue;
      }
      Method answering = ours.getMethod(method.getName(), method.getParameterTypes());
      if (answering.getDeclaringClass().isInterface()) {
        inherited++;
      } else if (isRefused(answering)) {
        refused++;
      } else if (DELEGATING.contains(answering.getDeclaringClass())) {
        delegated++;
      } else {
        own++;
      }
    }
    return new Count(delegated, own, refused, inherited);
  }

  /** A covariant return type leaves a bridge without annotations beside the method. */
  private static boolean isRefused(Method answering) {
    return Arrays.stream(answering.getDeclaringClass().getDeclaredMethods())
        .filter(each -> each.getName().equals(answering.getName()))
        .filter(each -> Arrays.equals(each.getParameterTypes(), answering.getParameterTypes()))
        .anyMatch(each -> each.isAnnotationPresent(Refused.class));
  }

  @Test
  void everyMethodOfJdbcIsThere() {
    assertThat(CLASSES).allSatisfy((api, ours) -> assertThat(api).isAssignableFrom(ours));
  }

  @Test
  void theTableOfTheDocumentationIsTrue() throws Exception {
    String page = Files.readString(Path.of("..", "docs", "jdbc.md"));
    for (Map.Entry<Class<?>, Class<?>> each : CLASSES.entrySet()) {
      assertThat(page).contains(count(each.getKey(), each.getValue()).row(each.getKey()));
    }
  }
}
