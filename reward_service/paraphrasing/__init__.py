"""Second views of questions: what becomes of the rules in the domain when there are files, processes and pages."""
