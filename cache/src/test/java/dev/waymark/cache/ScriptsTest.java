package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class ScriptsTest {
  @Test
  void guardIsCutOutOfEveryScriptThatHasIt() {
    Scripts plain = Scripts.plain();
    Scripts cut = Scripts.without(List.of("epoch"));

    assertThat(plain.read).contains("-- guard: epoch");
    assertThat(cut.read).doesNotContain("-- guard: epoch").contains("-- guard: incarnation");
    assertThat(cut.fill).doesNotContain("-- guard: epoch").contains("-- guard: snapshot");
    assertThat(cut.settle).doesNotContain("-- guard: epoch");
    assertThat(cut.beat).contains("-- guard: incarnation");
  }

  /** With a new one, a race without it is due. */
  @Test
  void everyGuardIsListedAmongTheRaces() {
    Set<String> found = new TreeSet<>();
    Scripts.changedBy(
        script -> {
          Matcher guard = Pattern.compile("(?m)^ *-- guard: (\\S+)$").matcher(script);
          while (guard.find()) {
            found.add(guard.group(1));
          }
          return script;
        });
    assertThat(found).containsExactlyInAnyOrderElementsOf(RacesIT.GUARDS);
  }

  @Test
  void guardThatNoScriptHasIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Scripts.without(List.of("epoch", "belt")))
        .withMessage("No script has a guard named [belt]");
  }
}
