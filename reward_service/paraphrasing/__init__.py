"""Make second views of questions: apply the domain's rules to files, processes and reports."""
