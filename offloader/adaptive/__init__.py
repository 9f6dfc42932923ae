"""Plans that change while they run: agents of whole networks, what frames tell of conditions, and when to move."""
