package dev.waymark.testkit;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Looks at the machine's processes. */
final class RunningProcesses {

  private RunningProcesses() {}

  /** A zombie does not count: in a container nobody may collect it. */
  static boolean exists(long pid) {
    if (ProcessHandle.of(pid).filter(ProcessHandle::isAlive).isEmpty()) {
      return false;
    }
    try {
      String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
      return stat.charAt(stat.lastIndexOf(')') + 2) != 'Z';
    } catch (IOException notLinux) {
      return ProcessHandle.of(pid).isPresent();
    }
  }
}
